# Flags every target of the project shares, and the function that declares a room.
add_library(dws_options INTERFACE)
target_include_directories(dws_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(dws_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wno-psabi
                       -ffp-contract=off)
if(DWS_WERROR)
  target_compile_options(dws_options INTERFACE -Werror)
endif()
if(DWS_SANITIZE)
  target_compile_options(dws_options INTERFACE -fsanitize=${DWS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(dws_options INTERFACE -fsanitize=${DWS_SANITIZE})
endif()

# With DWS_PRECOMPILE the standard headers that most files include are compiled once for all rooms. Not by default: a file
# that lacks an include would not show, and ccache keeps such files only when told to be sloppy.
function(dws_precompile target)
  if(NOT DWS_PRECOMPILE OR DWS_FUZZ)  # fuzzed rooms have flags of their own
    return()
  endif()
  if(TARGET dws_core AND NOT target STREQUAL dws_core)
    target_precompile_headers(${target} REUSE_FROM dws_core)
  else()
    target_precompile_headers(${target} PRIVATE <algorithm> <cmath> <cstdint> <functional> <map> <memory> <numeric>
                              <optional> <set> <span> <string> <string_view> <vector> <fmt/core.h>)
  endif()
endfunction()

# dws_room(NAME DEPS... ): library dws_NAME from every .cc of src/NAME and below.
function(dws_room name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cc)
  if(sources)
    add_library(dws_${name} STATIC ${sources})
    target_link_libraries(dws_${name} PUBLIC dws_options)
    dws_precompile(dws_${name})
    set(scope PUBLIC)
  else()
    add_library(dws_${name} INTERFACE)
    set(scope INTERFACE)
    target_link_libraries(dws_${name} INTERFACE dws_options)
  endif()
  foreach(dep ${ARGN})
    target_link_libraries(dws_${name} ${scope} dws_${dep})
  endforeach()
endfunction()
