// A file of nested messages in which some have other contents.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "core/file.h"

namespace dws::format {

// New contents of the message (or string) whose bytes in the file are [begin, end), its tag and length apart; where begin == end,
// new fields in front of those of the message that begins there.
struct MessageEdit {
  uint64_t begin = 0, end = 0;
  std::string content;
};

// What the file becomes, in order: parts of it as they are, and new bytes, which `made` keeps.
struct Rewritten {
  std::vector<Bytes> pieces;
  std::deque<std::string> made;
};

// The edits made, and the lengths of all messages around them put right; every other byte is a part of the file, lengths that
// did not change too. Edits are of different messages, none within another.
Rewritten rewrite_messages(Bytes file, std::vector<MessageEdit> edits, const std::string& name);

}  // namespace dws::format
