// External data of a model is found wherever it hides.
#include "run/onnx_file.h"

#include <string>

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

}  // namespace
}  // namespace sluice
