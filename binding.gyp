{
  # For people whose tools call node-gyp. CMakeLists.txt is the one list of native sources; this only starts its build.
  "targets": [
    {
      "target_name": "sluice",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake_build",
          "message": "Building the addon with CMake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/sluice.node.built-by-cmake"],
          "action": ["node", "scripts/setup.mjs", "--build-only"]
        }
      ]
    }
  ]
}
