# Starts PostgreSQL with the database `airflow`, and gives the role `airflow` the password of the Secret.
#
#     postgresql.sh DATA PASSWORD_FILE [OPTION...]
#
# A new database gets its name only when it is complete, so a start that is cut off begins again. The password is set at
# every start, so a new one in the Secret is the role's after a restart. Options are those of `postgres`.
set -eu

data=$1/pgdata
unfinished=$1/unfinished
password=$(sed "s/'/''/g" "$2")
shift 2

# Runs one statement a line while no client can connect, and stops at the first error. A killed server's postmaster.pid
# names process 1, which in a new container is this script: PostgreSQL has to know it for no server.
alone() {
  PG_GRANDPARENT_PID=$$ postgres --single -c exit_on_error=on -c log_min_error_statement=panic -D "$1" postgres >/dev/null
}

if [ -z "$password" ]; then
  echo "The key 'password' of the database's Secret is empty: put a password there and restart this pod." >&2
  exit 1
fi
if [ ! -d "$data" ]; then
  rm -rf "$unfinished"
  # Locale C: no index depends on the image's C library.
  initdb --pgdata="$unfinished" --username=postgres --auth=trust --encoding=UTF8 --locale=C --data-checksums \
    --no-instructions
  printf 'CREATE ROLE airflow LOGIN\nCREATE DATABASE airflow OWNER airflow\n' | alone "$unfinished"
  sync
  mv "$unfinished" "$data"
  sync
fi
chmod 0700 "$data"  # some volumes widen it for the pod's group, and PostgreSQL then refuses to start
printf "ALTER ROLE airflow PASSWORD '%s'\n" "$password" | alone "$data"
exec postgres -D "$data" "$@"
