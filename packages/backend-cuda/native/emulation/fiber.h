// A function that can be left in the middle and entered again: how one CPU thread plays the threads of a block.
//
// ucontext makes the stack; from then on setjmp and longjmp switch, because swapcontext asks the kernel for the signal mask each time.
// Compile without _FORTIFY_SOURCE, whose longjmp refuses to change stacks.
#pragma once
#include <ucontext.h>

#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace hb::emulation {

class Fiber {
 public:
  Fiber() : stack_(new char[kStackBytes]) {}
  Fiber(const Fiber &) = delete;
  Fiber &operator=(const Fiber &) = delete;

  // Runs body(argument) on the next resume(), from the beginning.
  void prepare(void (*body)(void *), void *argument) {
    body_ = body;
    argument_ = argument;
    if (!made_) make();
  }

  // Runs until it suspends itself or its body returns. Returns whether it is over.
  bool resume() {
    over_ = false;
    if (_setjmp(caller_) == 0) enter();
    return over_;
  }

  // Called on the fiber: resume() returns.
  void suspend() {
    if (_setjmp(here_) == 0) _longjmp(caller_, 1);
  }

 private:
  static constexpr size_t kStackBytes = 64 << 10;

  void make() {
    getcontext(&first_);
    first_.uc_stack.ss_sp = stack_.get();
    first_.uc_stack.ss_size = kStackBytes;
    first_.uc_link = nullptr;
    const uint64_t self = reinterpret_cast<uint64_t>(this);
    makecontext(&first_, reinterpret_cast<void (*)()>(begin), 2, static_cast<uint32_t>(self >> 32), static_cast<uint32_t>(self));
    made_ = true;
  }

  void enter() {
    if (entered_) _longjmp(here_, 1);
    entered_ = true;
    setcontext(&first_);
  }

  // makecontext passes ints. One body after the other runs on the same stack.
  static void begin(uint32_t high, uint32_t low) {
    Fiber *self = reinterpret_cast<Fiber *>(static_cast<uint64_t>(high) << 32 | low);
    for (;;) {
      self->body_(self->argument_);
      self->over_ = true;
      self->suspend();
    }
  }

  std::unique_ptr<char[]> stack_;
  ucontext_t first_;
  jmp_buf here_, caller_;
  void (*body_)(void *) = nullptr;
  void *argument_ = nullptr;
  bool made_ = false, entered_ = false, over_ = false;
};

}  // namespace hb::emulation
