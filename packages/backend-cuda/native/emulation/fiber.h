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

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace hb::emulation {

// A stack as AddressSanitizer must be told of it before and after it is entered; else nothing.
class SanitizedStack {
 public:
#if defined(__SANITIZE_ADDRESS__)
  void set(const void *bottom, size_t bytes) { bottom_ = bottom, bytes_ = bytes; }
  // `from` is left for this one.
  void enter(SanitizedStack &from) { __sanitizer_start_switch_fiber(&from.fake_, bottom_, bytes_); }
  // This one is entered; where from is written down.
  void entered(SanitizedStack &from) { __sanitizer_finish_switch_fiber(fake_, &from.bottom_, &from.bytes_); }

 private:
  const void *bottom_ = nullptr;
  size_t bytes_ = 0;
  void *fake_ = nullptr;
#else
  void set(const void *, size_t) {}
  void enter(SanitizedStack &) {}
  void entered(SanitizedStack &) {}
#endif
};

class Fiber {
 public:
  Fiber() : stack_(new char[kStackBytes]) { mine_.set(stack_.get(), kStackBytes); }
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
    mine_.enter(callers_);
    if (_setjmp(caller_) == 0) enter();
    SanitizedStack left;
    callers_.entered(left);
    return over_;
  }

  // Called on the fiber: resume() returns.
  void suspend() {
    callers_.enter(mine_);
    if (_setjmp(here_) == 0) _longjmp(caller_, 1);
    mine_.entered(callers_);
  }

 private:
#if defined(__SANITIZE_ADDRESS__)
  // Room around every variable.
  static constexpr size_t kStackBytes = 256 << 10;
#else
  static constexpr size_t kStackBytes = 64 << 10;
#endif

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
    self->mine_.entered(self->callers_);
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
  SanitizedStack mine_, callers_;
  bool made_ = false, entered_ = false, over_ = false;
};

}  // namespace hb::emulation
