"""kopf's watch of TTSServices, and everything that makes up for it.

kopf is used for two things: the login, and the watch of TTSServices with `on.event`. Its other handlers write
annotations and finalizers to the object, store state there, and do not watch children. Its peering does not fence.

`watch.py` runs kopf:

- kopf takes over the signal handlers of the main thread, and cancels every task of its loop when it stops. So it runs
  in its own thread and event loop. A shorter switch interval keeps its events from lagging behind a busy main thread.
- kopf ends the process after its last retry. So its back-off never runs out.
- kopf removes its finalizer from objects, copies each object twice per event to compare it with the last one, and keeps
  a task per object for 5 s. So it gets an unused finalizer, a storage that stores nothing, and a shorter idle time.
- kopf looks up the user name of the process, which a container may not have. So it gets a fixed identity.

`services.py` keeps the cache that kopf fills, and finds what kopf does not report:

- kopf never watches a kind that is not served when kopf starts. So the names of all TTSServices are listed first, with
  retries until their CRD exists. The list also shows when kopf has reported all of them.
- After a broken watch, kopf does not report what was deleted in the meantime. So a list of names is compared with the
  cache 1.5 s after kopf lists again, or any other watch of the operator fails, and at least every 10 minutes.
- kopf's watch may die silently. So if two comparisons in a row find changes that kopf has not reported within 5 s, and
  kopf has reported nothing in between, the liveness probe fails. It also fails if kopf's loop does not respond.

All other kinds have informers (`runtime/informer.py`), which need a tenth of the CPU per event.
"""
