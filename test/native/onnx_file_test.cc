// External data of a model: found wherever it hides, and refused outside the version's directory.
#include "run/onnx_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "check.h"

namespace sluice {
namespace {

std::string Field(int number, const std::string& content) {
  std::string text;
  text += static_cast<char>(number << 3 | 2);
  if (number > 15)
    text =
        std::string(1, static_cast<char>(((number << 3 | 2) & 0x7f) | 0x80)) + static_cast<char>(number >> 4);
  size_t length = content.size();
  while (length > 127) {
    text += static_cast<char>((length & 0x7f) | 0x80);
    length >>= 7;
  }
  text += static_cast<char>(length);
  return text + content;
}

std::string TensorWithLocation(const std::string& location) {
  return Field(13, Field(1, "location") + Field(2, location)) + Field(13, Field(1, "offset") + Field(2, "0"));
}

std::string Locations(const std::string& model) {
  std::vector<std::string> locations;
  const Status status =
      FindExternalLocations(reinterpret_cast<const uint8_t*>(model.data()), model.size(), &locations);
  if (!status.ok()) return "broken";
  std::string text;
  for (const std::string& location : locations) text += location + ";";
  return text;
}

TEST("external data is found in initializers, attributes, subgraphs, sparse tensors and functions") {
  const std::string tensor = TensorWithLocation("w.bin");
  CHECK_EQ(Locations(Field(7, Field(5, tensor))), "w.bin;");
  CHECK_EQ(Locations(Field(7, Field(1, Field(5, Field(5, tensor))))), "w.bin;");
  CHECK_EQ(Locations(Field(7, Field(1, Field(5, Field(6, Field(5, tensor)))))), "w.bin;");
  CHECK_EQ(Locations(Field(7, Field(15, Field(1, tensor)))), "w.bin;");
  CHECK_EQ(Locations(Field(25, Field(7, Field(5, Field(5, tensor))))), "w.bin;");
  CHECK_EQ(Locations(Field(7, Field(5, tensor) + Field(5, TensorWithLocation("v.bin")))), "v.bin;w.bin;");
  CHECK_EQ(Locations(Field(7, "")), "");
}

TEST("a file that is no protobuf message is told so") {
  CHECK_EQ(Locations("hello world, this is no model"), "broken");
  CHECK_EQ(Locations(Field(7, Field(5, "abc")).substr(0, 4)), "broken");
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
  CHECK(CheckExternalLocations(directory, {"plain.bin", "sub/plain.bin", "./plain.bin"}).ok());
  const char* refused[] = {
      "../outside.bin", "sub/../../outside.bin", "/etc/hosts", "symlink.bin", "up/outside.bin",
      "twin.bin",       "missing.bin",           "",           "sub",         "sub/"};
  for (const char* location : refused) {
    if (CheckExternalLocations(directory, {location}).ok()) CHECK_EQ(std::string(location), "refused");
  }
  std::system(("rm -r " + root).c_str());
}

}  // namespace
}  // namespace sluice
