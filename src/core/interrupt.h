// SIGINT, SIGTERM and SIGHUP as a flag that long loops look at.
#pragma once

namespace dws {

// From now on the first SIGINT, SIGTERM or SIGHUP sets the flag; a second one ends the process at once. A
// SIGHUP that is ignored already (nohup) stays ignored. SIGPIPE is ignored (a write to a closed pipe then
// fails with EPIPE).
void install_interrupt_handler();
bool interrupted() noexcept;
// Throws Error{interrupted} when the flag is set.
void check_interrupt();
// For tests.
void set_interrupted(bool value) noexcept;

}  // namespace dws
