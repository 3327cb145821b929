#include "format/onnx_rewrite.h"

#include <algorithm>

#include "format/onnx_wire.h"

namespace dws::format {
namespace {

class Rewriter {
 public:
  Rewriter(Bytes file, std::vector<MessageEdit>& edits, const std::string& name, Rewritten& out)
      : file_(file), edits_(edits), name_(name), out_(out) {}

  // The message in [begin, end), which is an edit or holds some: its pieces are added, its new size is returned.
  uint64_t message(uint64_t begin, uint64_t end) {
    uint64_t size = 0, copied = begin;
    while (next_ < edits_.size() && edits_[next_].begin == begin && edits_[next_].end == begin)
      size += add(std::move(edits_[next_++].content));
    if (next_ < edits_.size() && edits_[next_].begin == begin && edits_[next_].end == end)
      return size + add(std::move(edits_[next_++].content));
    WireReader reader(file_, begin, end, name_);
    for (WireField field; reader.next(field);) {
      if (field.wire != Wire::bytes || !edited(field.content, field.end)) continue;
      size += keep(copied, field.start);
      copied = field.end;
      const size_t header = out_.pieces.size();
      out_.pieces.emplace_back();
      const uint64_t content = message(field.content, field.end);
      if (content == field.end - field.content) {
        out_.pieces[header] = file_.subspan(field.start, field.content - field.start);
      } else {
        std::string made;
        put_varint(field.number << 3 | static_cast<uint64_t>(field.wire), made);
        put_varint(content, made);
        out_.pieces[header] = held(std::move(made));
      }
      size += content + out_.pieces[header].size();
    }
    return size + keep(copied, end);
  }

 private:
  bool edited(uint64_t begin, uint64_t end) const {
    return next_ < edits_.size() && edits_[next_].begin >= begin && edits_[next_].end <= end;
  }
  uint64_t keep(uint64_t begin, uint64_t end) {
    if (begin < end) out_.pieces.push_back(file_.subspan(begin, end - begin));
    return end - begin;
  }
  Bytes held(std::string bytes) {
    const std::string& kept = out_.made.emplace_back(std::move(bytes));
    return std::as_bytes(std::span(kept.data(), kept.size()));
  }
  uint64_t add(std::string bytes) {
    out_.pieces.push_back(held(std::move(bytes)));
    return out_.pieces.back().size();
  }

  Bytes file_;
  std::vector<MessageEdit>& edits_;
  const std::string& name_;
  Rewritten& out_;
  size_t next_ = 0;
};

}  // namespace

Rewritten rewrite_messages(Bytes file, std::vector<MessageEdit> edits, const std::string& name) {
  std::ranges::sort(edits, {}, [](const MessageEdit& e) { return std::pair(e.begin, e.end); });
  Rewritten out;
  Rewriter(file, edits, name, out).message(0, file.size());
  return out;
}

}  // namespace dws::format
