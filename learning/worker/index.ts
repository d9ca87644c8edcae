export { HostedCloudTuner } from './hosted-cloud-tuner.ts'
export { HostedDeviceTuner } from './hosted-device-tuner.ts'
