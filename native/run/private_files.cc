#include "run/private_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>
#include <utility>

#include "base/sha256.h"

namespace sluice {

namespace {

constexpr size_t kPieceBytes = 1 << 20;

Status Invalid(const std::string& message) { return Status(Code::kModelInvalid, message); }

class OpenFile {
 public:
  explicit OpenFile(int number) : number_(number) {}
  ~OpenFile() {
    if (number_ >= 0) close(number_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int number() const { return number_; }
  void Swap(OpenFile* other) { std::swap(number_, other->number_); }
  int Release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

bool IsSame(const struct stat& before, const struct stat& after) {
  return before.st_size == after.st_size && before.st_ino == after.st_ino &&
         before.st_mtim.tv_sec == after.st_mtim.tv_sec && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec &&
         before.st_ctim.tv_sec == after.st_ctim.tv_sec && before.st_ctim.tv_nsec == after.st_ctim.tv_nsec;
}

// -1 on error; less than asked only at the end of the file.
ssize_t ReadPiece(int file, uint8_t* into, size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t got = read(file, into + done, bytes - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return static_cast<ssize_t>(done);
}

bool WritePiece(int file, const uint8_t* from, size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t put = write(file, from + done, bytes - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    done += static_cast<size_t>(put);
  }
  return true;
}

}  // namespace

Status OpenInside(const std::string& directory, const std::string& location, int* file) {
  const auto refuse = [&](const char* why) {
    return Invalid("external data \"" + location + "\" is refused: " + why);
  };
  if (location.empty()) return refuse("it has no name");
  if (location.find('\0') != std::string::npos) return refuse("its name has a NUL byte");
  if (location[0] == '/')
    return refuse("expected a path inside the version's directory, got an absolute one");
  OpenFile at(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (at.number() < 0) return refuse("the version's directory cannot be opened");
  size_t begin = 0;
  while (begin <= location.size()) {
    const size_t end = std::min(location.find('/', begin), location.size());
    const std::string part = location.substr(begin, end - begin);
    const bool is_last = end == location.size();
    begin = end + 1;
    if (part == "..") return refuse("it leaves the version's directory");
    if (part.empty() || part == ".") {
      if (is_last) return refuse("expected a file");
      continue;
    }
    // Non-blocking, so that a pipe in the place of a file does not hold the loader.
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (is_last ? 0 : O_DIRECTORY);
    struct stat facts;
    if (fstatat(at.number(), part.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0)
      return refuse(errno == ENOENT ? "the file is missing" : std::strerror(errno));
    if (S_ISLNK(facts.st_mode)) return refuse("it is, or goes through, a symbolic link");
    if (is_last && !S_ISREG(facts.st_mode)) return refuse("expected a regular file");
    OpenFile next(openat(at.number(), part.c_str(), flags));
    if (next.number() < 0)
      return refuse(errno == ELOOP ? "it is, or goes through, a symbolic link" : std::strerror(errno));
    if (is_last) {
      // Of the file that is open now, not of what the name meant before.
      if (fstat(next.number(), &facts) != 0 || !S_ISREG(facts.st_mode))
        return refuse("expected a regular file");
      if (facts.st_nlink != 1) return refuse("it is a hard link to a file that may change elsewhere");
      *file = next.Release();
      return Status();
    }
    at.Swap(&next);
  }
  return refuse("expected a file");
}

Status ReadWhole(const std::string& path, AlignedBuffer* bytes, FileFacts* facts) {
  const OpenFile file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number() < 0) return Invalid("cannot read the model file: " + std::string(std::strerror(errno)));
  struct stat before, after;
  if (fstat(file.number(), &before) != 0 || !S_ISREG(before.st_mode))
    return Invalid("expected a regular file for the model");
  if (before.st_size == 0) return Invalid("the model file is empty");
  bytes->Clear();
  bytes->Resize(static_cast<size_t>(before.st_size));
  const ssize_t got = ReadPiece(file.number(), bytes->data(), bytes->size());
  if (got < 0) return Invalid("cannot read the model file: " + std::string(std::strerror(errno)));
  if (fstat(file.number(), &after) != 0 || !IsSame(before, after) ||
      static_cast<size_t>(got) != bytes->size()) {
    return Invalid("the model file changed while it was read");
  }
  Sha256 hash;
  hash.Update(bytes->data(), bytes->size());
  facts->bytes = bytes->size();
  facts->sha256 = hash.Finish();
  return Status();
}

Status PrivateCopies::Add(const std::string& directory, const std::string& location,
                          std::vector<FileFacts>* facts) {
  const auto refuse = [&](const std::string& why) {
    return Invalid("external data \"" + location + "\" is refused: " + why);
  };
  int number = -1;
  if (Status status = OpenInside(directory, location, &number); !status.ok()) return status;
  const OpenFile from(number);
  FileFacts copied;
  copied.name = std::filesystem::path(location).lexically_normal().string();
  for (const FileFacts& other : *facts) {
    if (other.name == copied.name) return Status();
  }
  const std::filesystem::path target = std::filesystem::path(folder_) / copied.name;
  std::error_code failed;
  if (!is_made_) {
    if (mkdir(folder_.c_str(), 0700) != 0)
      return refuse("no private copy can be made: " + std::string(std::strerror(errno)));
    is_made_ = true;
  }
  std::filesystem::create_directories(target.parent_path(), failed);
  const OpenFile to(open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (to.number() < 0) return refuse("no private copy can be made: " + std::string(std::strerror(errno)));

  struct stat before, after;
  if (fstat(from.number(), &before) != 0) return refuse(std::strerror(errno));
  AlignedBuffer piece;
  piece.Resize(kPieceBytes);
  Sha256 hash;
  for (;;) {
    const ssize_t got = ReadPiece(from.number(), piece.data(), piece.size());
    if (got < 0) return refuse(std::strerror(errno));
    if (got == 0) break;
    const auto count = static_cast<size_t>(got);
    hash.Update(piece.data(), count);
    if (!WritePiece(to.number(), piece.data(), count))
      return refuse("no private copy can be made: " + std::string(std::strerror(errno)));
    copied.bytes += count;
  }
  if (fstat(from.number(), &after) != 0 || !IsSame(before, after) ||
      copied.bytes != static_cast<uint64_t>(before.st_size)) {
    return refuse("it changed while it was copied");
  }
  copied.sha256 = hash.Finish();
  facts->push_back(std::move(copied));
  return Status();
}

PrivateCopies::~PrivateCopies() {
  if (!is_made_) return;
  try {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  } catch (const std::bad_alloc&) {
    // A folder of ours is left behind; the process goes on.
  }
}

}  // namespace sluice
