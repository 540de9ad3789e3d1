import { defineConfig } from "vitest/config";

/** One journey after another in one browser: the machine that runs this has two cores. */
export default defineConfig({
  test: {
    include: ["e2e/**/*.e2e.ts"],
    environment: "node",
    fileParallelism: false,
    sequence: { concurrent: false },
    testTimeout: 90_000,
    hookTimeout: 90_000,
    bail: 1,
  },
});
