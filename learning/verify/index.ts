export { type Verification, verifyCheckpoint } from './verify-checkpoint.ts'
