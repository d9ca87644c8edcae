import { defineConfig } from 'vitest/config'

/** Whole meshes of real processes: minutes, not seconds. `npm run test:integration`. */
export default defineConfig({
  ssr: { resolve: { conditions: ['cotune-source'], externalConditions: ['cotune-source'] } },
  resolve: { conditions: ['cotune-source'] },
  test: {
    include: ['test/integration/**/*.integration.ts'],
    setupFiles: ['test/setup.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 600_000,
    hookTimeout: 120_000,
  },
})
