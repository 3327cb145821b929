// Files of labelled pictures, as users name them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/images.h"

namespace dws {

struct PictureFile {
  std::string images, labels;  // the same file where it holds both
};
// Each of `paths`; a folder of CIFAR-10's batches stands for those of its training. Labels are those of `labels`, one file a path,
// or where none are given the IDX labels beside IDX images (images-idx3 and labels-idx1 in their names), or those in a *.bin
// itself. Throws Error{usage} for other numbers of labels than of paths, and for pictures whose labels nobody knows.
std::vector<PictureFile> picture_files(const std::vector<std::string>& paths,
                                       const std::vector<std::string>& labels);

struct LabelledPictures {
  Images images;
  std::vector<int64_t> labels;  // (images.count), none negative, each an int32
};
// Throws Error as read_images() and read_labels() do, Error{mismatch} for other numbers of labels than of pictures, Error{bad_value}
// for a label that is no class among the first `limit`.
LabelledPictures read_pictures(const PictureFile& file, int64_t limit);

}  // namespace dws
