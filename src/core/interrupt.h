// SIGINT and SIGTERM as a flag that long loops look at.
#pragma once

namespace dws {

// From now on the first SIGINT or SIGTERM sets the flag; a second one ends the process at once. SIGPIPE is
// ignored (a write to a closed pipe then fails with EPIPE).
void install_interrupt_handler();
bool interrupted() noexcept;
// Throws Error{interrupted} when the flag is set.
void check_interrupt();
// For tests.
void set_interrupted(bool value) noexcept;

}  // namespace dws
