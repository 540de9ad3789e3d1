import { defineConfig } from "vitest/config";

/** One journey after another in one browser: the machine that runs this has two cores. */
export default defineConfig({
  test: {
    include: ["e2e/**/*.e2e.ts"],
    environment: "node",
    fileParallelism: false,
    sequence: { concurrent: false },
    testTimeout: 240_000,
    hookTimeout: 180_000,
    bail: 1,
  },
});
