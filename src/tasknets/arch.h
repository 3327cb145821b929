// The layers of a classifier of pictures, as one word:
//
//   mlp:512,512,512      fully connected, hidden widths; "mlp:" alone is a linear map
//   cnn:16,32s2,64k5,p   convolutions by their filters, each with a kernel kK [3] padded to keep the size and a stride
//                        sS [1]; p halves both sides by a maximum, a by a mean; fN, at the end: fully connected layers
//                        behind the mean over all places
//   vgg:64               cnn:64,64,p,128,128,p,256,256,p with this width
//
// A norm, if there is one, and an activation follow each convolution and each hidden layer; a linear map to the classes
// comes last.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dws {

struct Arch {
  enum class Kind { conv, max_pool, mean_pool, linear };
  struct Layer {
    Kind kind = Kind::linear;
    int64_t width = 0;               // filters or neurons
    int64_t kernel = 3, stride = 1;  // of a convolution
    bool operator==(const Layer&) const = default;
  };
  std::string text;           // as it was given
  bool of_pictures = false;   // cnn: layers see height and width
  std::vector<Layer> layers;  // hidden ones
};

// Throws Error{usage} naming the item that is wrong.
Arch parse_arch(const std::string& word);

}  // namespace dws
