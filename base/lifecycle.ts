/** A long-lived thing. Starting twice or stopping twice is harmless. */
export interface Startable {
  start(): Promise<void>
  stop(): Promise<void>
}

/** Starts in the order given; if one fails, those already started are stopped, last first. */
export async function startAll(services: readonly Startable[]): Promise<void> {
  const started: Startable[] = []
  try {
    for (const service of services) {
      await service.start()
      started.push(service)
    }
  } catch (error) {
    await stopAll(started).catch(() => undefined)
    throw error
  }
}

/** Stops last first; all are tried, then the first failure is thrown. */
export async function stopAll(services: readonly Startable[]): Promise<void> {
  const failures: unknown[] = []
  for (const service of [...services].reverse()) {
    await service.stop().catch((error: unknown) => failures.push(error))
  }
  if (failures.length > 0) throw failures[0]
}
