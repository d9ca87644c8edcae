export { checkUpdate, type UpdatePolicy } from './check-update.ts'
export { openUpdate, sealUpdate, type UpdateAbout } from './seal-update.ts'
export {
  createSealingKey,
  loadSealingKey,
  type SealingKey,
  type SealingPublicKey,
  sealingKeyId,
} from './sealing-key.ts'
