#include "format/picture_files.h"

#include <algorithm>
#include <filesystem>
#include <limits>

#include "core/error.h"
#include "core/text.h"

namespace dws {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> batches_of(const std::string& path) {
  std::error_code none;
  if (!fs::is_directory(path, none)) return {path};
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("data_batch_") && name.ends_with(".bin")) found.push_back(entry.path().string());
  }
  if (found.empty()) return {path};
  std::sort(found.begin(), found.end());
  return found;
}

// Where the labels of a file of pictures are when nobody says it; "" for nowhere.
std::string labels_beside(const std::string& path) {
  if (path.ends_with(".bin")) return path;
  const fs::path file(path);
  std::string name = file.filename().string();
  const std::string images = "images-idx3", labels = "labels-idx1";
  const size_t at = name.find(images);
  if (at == std::string::npos) return "";
  const std::string beside = (file.parent_path() / name.replace(at, images.size(), labels)).string();
  std::error_code none;
  return fs::is_regular_file(beside, none) ? beside : "";
}

}  // namespace

std::vector<PictureFile> picture_files(const std::vector<std::string>& paths,
                                       const std::vector<std::string>& labels) {
  if (!labels.empty() && labels.size() != paths.size())
    throw Error(ErrorKind::usage, text("{} files of labels for {} of pictures", labels.size(), paths.size()));
  std::vector<PictureFile> files;
  for (size_t p = 0; p < paths.size(); ++p)
    for (const std::string& path : batches_of(paths[p])) {
      files.push_back({path, labels.empty() ? labels_beside(path) : labels[p]});
      if (files.back().labels.empty())
        throw Error(ErrorKind::usage, text("{}: no labels are known of these pictures", one_line(path)),
                    "name their file with --labels");
    }
  return files;
}

LabelledPictures read_pictures(const PictureFile& file, int64_t limit) {
  LabelledPictures read{read_images(file.images), read_labels(file.labels)};
  if (static_cast<int64_t>(read.labels.size()) != read.images.count)
    throw Error(ErrorKind::mismatch, text("{}: {} labels for the {} pictures of {}", one_line(file.labels),
                                          read.labels.size(), read.images.count, one_line(file.images)));
  for (int64_t i = 0; i < std::min(limit, read.images.count); ++i) {
    const int64_t label = read.labels[static_cast<size_t>(i)];
    if (label < 0 || label > std::numeric_limits<int32_t>::max())
      throw Error(ErrorKind::bad_value,
                  text("{}: label {} of picture {} is not a class", one_line(file.labels), label, i));
  }
  return read;
}

}  // namespace dws
