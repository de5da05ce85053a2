// How urgently the calling thread wants a core that others want, too. What the system refuses is left as it
// is: priorities make nothing right or wrong.
#pragma once

namespace sluice {

// A short turn on a core after waking, at once: Linux 6.12 and later let a thread whose slice is shorter than
// that of the one which runs take its core when it wakes. Threads that this one starts do not inherit it.
void BePrompt();

// Like `nice`, for this thread alone.
void LowerPriority(int niceness);

// Only where a core would idle, and gives way the moment that another thread wants it.
void RunOnlyWhenIdle();

}  // namespace sluice
