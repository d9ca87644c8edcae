// A cloud peer in a process of its own, for kill.test.ts: `home phase [listen]`. It tells its parent when it is ready, and when it
// has come to the phase, where it hangs so that the kill hits there and nowhere else.
import { silentLogger } from '#base'
import { cloudConfigSchema, createCloudPeer } from '#cloud-peer'
import { FakeTuner } from './fake-tuner.ts'

const [home = '', hangIn = '', listen = '/ip4/127.0.0.1/tcp/0'] = process.argv.slice(2)
const cloud = await createCloudPeer({
  config: cloudConfigSchema.parse({ home, listen: [listen] }),
  logger: silentLogger,
  createTuner: async () =>
    new FakeTuner(async (phase, strategy) => {
      // Each update is merged alone when it comes in; only the real merge of the round counts.
      if (phase !== hangIn || strategy === 'fedavg') return
      process.send?.('reached')
      await new Promise(() => undefined)
    }),
})
await cloud.start()
process.send?.('ready')
