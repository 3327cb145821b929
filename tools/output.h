// What verbs share besides command.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/zoo.h"

namespace dws::tools {

// Thrown by print() when the reader of stdout has gone; main ends quietly with code 0. No std::exception, so
// that nothing on the way takes it for a failure.
struct ClosedPipe {};

// Hash of a file, or of the names and hashes of a folder's files in order.
std::string hash_input(const std::string& path);

// Class names, one a line (a last empty line is ignored). Throws Error{empty}, Error{duplicate_name}.
std::vector<std::string> read_class_names(const std::string& path);
// "0", "1", ..., or the given names, whose count must be `classes`. Throws Error{mismatch}.
std::vector<std::string> class_names(const std::string& file, int64_t classes);

// Of a zoo's fits: {"networks", "psnr_mean", "psnr_min", "psnr_max"}; null for none.
Json psnr_summary(const std::vector<float>& psnr);

// Says once on stderr that the networks of a file without "dws.zoo" are taken for the default kind. True when
// it did.
bool warn_if_assumed(const Zoo& zoo);

}  // namespace dws::tools
