import { defineConfig, mergeConfig } from 'vitest/config'
import base from './vitest.config.ts'

/** Real processes with real models for minutes: `npm run test:integration`. */
export default mergeConfig(
  { ...base, test: { ...base.test, include: [] } },
  defineConfig({
    test: {
      include: ['test/integration/**/*.integration.ts'],
      maxWorkers: 1,
      fileParallelism: false,
      testTimeout: 480_000,
      hookTimeout: 60_000,
    },
  }),
)
