// A version's files are copied privately and hashed; what lies outside its directory is refused.
#include "run/private_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "check.h"

namespace sluice {
namespace {

std::string HashOf(const std::string& text, size_t piece) {
  Sha256 hash;
  for (size_t at = 0; at < text.size(); at += piece)
    hash.Update(text.data() + at, std::min(piece, text.size() - at));
  return hash.Finish();
}

TEST("sha256 answers the standard's own examples, however the bytes come") {
  const std::string long_one = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  CHECK_EQ(HashOf("", 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK_EQ(HashOf("abc", 1), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string million(1000000, 'a');
  for (const size_t piece : {1, 7, 55, 64, 65, 4096}) {
    CHECK_EQ(HashOf(long_one, piece), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK_EQ(HashOf(million, piece), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }
}

TEST("external data outside the directory, or reachable from elsewhere, is refused") {
  char name[] = "/tmp/sluice-external-XXXXXX";
  const std::string root = mkdtemp(name);
  const std::string directory = root + "/1";
  mkdir(directory.c_str(), 0700);
  mkdir((directory + "/sub").c_str(), 0700);
  std::ofstream(root + "/outside.bin") << "x";
  std::ofstream(directory + "/plain.bin") << "x";
  std::ofstream(directory + "/sub/plain.bin") << "x";
  std::ofstream(directory + "/twin.bin") << "x";
  CHECK_EQ(link((directory + "/twin.bin").c_str(), (root + "/twin.bin").c_str()), 0);
  CHECK_EQ(symlink((root + "/outside.bin").c_str(), (directory + "/symlink.bin").c_str()), 0);
  CHECK_EQ(symlink(root.c_str(), (directory + "/up").c_str()), 0);
  {
    std::vector<FileFacts> files;
    PrivateCopies copies(root + "/private");
    for (const char* location : {"plain.bin", "sub/plain.bin", "./plain.bin"})
      CHECK(copies.Add(directory, location, &files).ok());
    CHECK_EQ(files.size(), 2u);
    CHECK_EQ(files[1].name, "sub/plain.bin");
    CHECK_EQ(files[1].bytes, 1u);
    // Of "x", by sha256sum.
    CHECK_EQ(files[1].sha256, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
    std::ofstream(directory + "/sub/plain.bin") << "changed";
    std::ifstream copy(root + "/private/sub/plain.bin");
    std::string content;
    copy >> content;
    CHECK_EQ(content, "x");
  }
  CHECK(access((root + "/private").c_str(), F_OK) != 0);
  const char* refused[] = {
      "../outside.bin", "sub/../../outside.bin", "/etc/hosts", "symlink.bin", "up/outside.bin",
      "twin.bin",       "missing.bin",           "",           "sub",         "sub/"};
  for (const char* location : refused) {
    int file = -1;
    if (OpenInside(directory, location, &file).ok()) CHECK_EQ(std::string(location), "refused");
  }
  std::system(("rm -r " + root).c_str());
}

}  // namespace
}  // namespace sluice
