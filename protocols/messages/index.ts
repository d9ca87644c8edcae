export {
  bounded,
  digestBytes,
  digestHex,
  fieldError,
  fixedBytes,
  runIdText,
  safeInteger,
  shortText,
  timestamp,
} from './fields.ts'
export { type Framed, type FramedInit, framed } from './framed.ts'
export { LIMITS } from './limits.ts'
export { type MessageCodec, type MessageCodecInit, messageCodec } from './message-codec.ts'
export {
  type Opened,
  openSigned,
  type SignatureDomain,
  type Signer,
  signBody,
  verifySignature,
} from './signed.ts'
export { type WaitOptions, waitFor } from './wait-for.ts'
