// Operations of halfbyte.h with random arguments, ready to be launched on any queue.
#pragma once
#include <functional>
#include <utility>

#include "random_arguments.h"

namespace fuzz {

constexpr int kNone = -1;

struct Tensor {
  Bytes bytes;     // what is uploaded; its size when nothing is
  bool uploaded, read;
};

// The addresses of an operation's tensors on one queue; none is null.
class Addresses {
 public:
  void add(void *address) { all_.push_back(address); }
  template <class T = void>
  T *at(int tensor) const {
    return tensor == kNone ? nullptr : static_cast<T *>(all_[static_cast<size_t>(tensor)]);
  }
  const std::vector<void *> &all() const { return all_; }

 private:
  std::vector<void *> all_;
};

using Results = std::vector<Bytes>;

struct Operation {
  explicit Operation(const char *operation_name) : name(operation_name) {}

  const char *name;
  std::vector<Tensor> tensors;
  std::function<hb_status(hb_queue *, const Addresses &)> launch;
  // Whether every instruction set gives the same bits.
  bool exact = true;
  // What is wrong with the results, given as all tensors are afterwards; none: nullptr.
  std::function<const char *(const Results &)> judge;

  int in(Bytes bytes) { return add({std::move(bytes), true, false}); }
  int out(uint64_t bytes) { return add({Bytes(bytes), false, true}); }
  int inout(Bytes bytes) { return add({std::move(bytes), true, true}); }
  int scratch(uint64_t bytes) { return add({Bytes(bytes), false, false}); }

 private:
  int add(Tensor tensor) {
    tensors.push_back(std::move(tensor));
    return static_cast<int>(tensors.size()) - 1;
  }
};

Operation random_operation(Random &random);

}  // namespace fuzz
