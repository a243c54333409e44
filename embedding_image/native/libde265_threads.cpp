// A function of libde265, the decoder of HEIC photos, that replaces libde265's own: it starts no threads.
//
// libheif asks for one thread for each picture, whatever its own options are. A worker process may not start threads,
// and libde265 does not catch the exception of a failed start, which ends the process. Without threads libde265
// decodes in the calling one, to the same pixels. meanface/embedder/heif.py makes the symbol global before it loads
// libheif, so that the dynamic linker finds this one first.

extern "C" __attribute__((visibility("default"))) int de265_start_worker_threads(void* /*decoder*/, int /*threads*/) {
  return 0;  // DE265_OK
}
