// Bugs of one line each that the simulation must find: the file in native/schedule, the text, and what it becomes.
export const PLANTED_BUGS = {
  'expired-work-runs': {
    file: 'batch_fill.cc',
    find: '  DropDue(terms.now_ns, dropped);\n',
    replace: '',
  },
  'request-in-two-batches': {
    file: 'batch_fill.cc',
    find: '    Leave(request);\n    request->phase = Phase::kRunning;',
    replace: '    request->phase = Phase::kRunning;',
  },
  'nobody-pays': {
    file: 'fair_share.h',
    find: '  void Pay(int64_t run_ns) { paid_ns_ += static_cast<double>(run_ns) / weight_; }\n',
    replace: '  void Pay(int64_t) {}\n',
  },
  'idle-time-is-saved-up': {
    file: 'scheduler.cc',
    find: '    if (!queue->is_competing) queue->share.CatchUp(fairest->share.paid_ns());\n',
    replace: '',
  },
  'late-callers-wait': {
    file: 'scheduler_watch.cc',
    find: '    tell_early_(request);\n',
    replace: '',
  },
  'answered-twice': {
    file: 'scheduler_watch.cc',
    find: '    if (request->early_code != Code::kOk) continue;\n',
    replace: '',
  },
  'cancel-forgets-the-queue': {
    file: 'scheduler.cc',
    find: '  queue->Remove(request);\n',
    replace: '',
  },
  'cancelled-pieces-go-on': {
    file: 'scheduler.cc',
    find: ' && !is_closed_ &&\n                         !request->is_cancelled.load(std::memory_order_relaxed);',
    replace: ' && !is_closed_;',
  },
  'order-is-lost': {
    file: 'version_queue.cc',
    find: '  if (rules_.keeps_order) {\n',
    replace: '  if (false) {\n',
  },
  'order-is-lost-on-the-way': {
    file: 'scheduler.cc',
    find: '  if (complete != nullptr && queue->rules().keeps_order) complete();\n',
    replace: '',
  },
  'two-shapes-in-a-run': {
    file: 'version_queue.cc',
    find: '        MayShareRun(*lane->first, request)) {\n',
    replace: '        true) {\n',
  },
  'lost-wake-of-a-level': {
    file: 'batch_fill.cc',
    find: 'if (order > 0 || (order == 0 &&',
    replace: 'if (order < 0 || (order == 0 &&',
  },
  'bytes-are-not-given-back': {
    file: 'version_queue.cc',
    find: '  waiting_bytes_ -= request->bytes;\n',
    replace: '',
  },
};
