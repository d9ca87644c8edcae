import { setTimeout as delay } from 'node:timers/promises'
import { silentLogger } from '#base'
import { createDaemon, daemonConfigSchema } from '#daemon'
import { FakeTuner } from './fakes.ts'

/** A daemon as a process of its own, to be killed; its training takes long enough to be hit. */
class SlowTuner extends FakeTuner {
  override tune: FakeTuner['tune'] = async (init) => {
    await delay(300, undefined, init.signal ? { signal: init.signal } : {})
    return this.learn(init)
  }
}

const home = process.argv[2] ?? ''
const config = daemonConfigSchema.parse({ home, name: 'victim', versions: { sample: 2 } })
await createDaemon(config, {
  logger: silentLogger,
  createTuner: async () => new SlowTuner(),
}).start()
process.send?.('ready')
