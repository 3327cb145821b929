// SHA-1 (FIPS 180-4), as 40 hexadecimal digits: what ONNX gives as the checksum of external data. It says that a file is the
// one that was meant, not who made it.
#pragma once

#include <string>

#include "core/file.h"

namespace dws {

std::string sha1(Bytes bytes);
// The same of a mapped file, whose pages are let go of behind the reader.
std::string sha1(const MappedFile& file);

}  // namespace dws
