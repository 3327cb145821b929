#pragma once

namespace dws {

// Whether the operating system lets this process use AMX's tile registers: Linux wants to be asked, once, before the first
// use by any thread (Documentation/arch/x86/xstate.rst). The processor must have them.
bool request_tile_permission() noexcept;

}  // namespace dws
