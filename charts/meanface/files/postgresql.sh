# Start PostgreSQL with the database `airflow`, and set the password of the role `airflow` from the
# Secret.
#
#     postgresql.sh DATA PASSWORD_FILE [OPTION...]
#
# A new database gets its final name only when it is complete, so an interrupted start begins again.
# The password is set at every start, so a changed Secret takes effect with a restart. Options are
# those of `postgres`.
set -eu

data=$1/pgdata
unfinished=$1/unfinished
password=$(sed "s/'/''/g" "$2")
shift 2

# Run one statement per line while no client can connect, and stop at the first error. The
# postmaster.pid of a killed server names process 1, which in a new container is this script.
# PG_GRANDPARENT_PID makes PostgreSQL ignore it.
alone() {
  PG_GRANDPARENT_PID=$$ postgres --single -c exit_on_error=on -c log_min_error_statement=panic -D "$1" postgres >/dev/null
}

if [ -z "$password" ]; then
  echo "The key 'password' of the database's Secret is empty: put a password there and restart this pod." >&2
  exit 1
fi
if [ ! -d "$data" ]; then
  rm -rf "$unfinished"
  # With locale C no index depends on the image's C library.
  initdb --pgdata="$unfinished" --username=postgres --auth=trust --encoding=UTF8 --locale=C --data-checksums \
    --no-instructions
  printf 'CREATE ROLE airflow LOGIN\nCREATE DATABASE airflow OWNER airflow\n' | alone "$unfinished"
  sync
  mv "$unfinished" "$data"
  sync
fi
chmod 0700 "$data"  # some volumes add the pod's group, and PostgreSQL then refuses to start
printf "ALTER ROLE airflow PASSWORD '%s'\n" "$password" | alone "$data"
exec postgres -D "$data" "$@"
