export type { Precision } from './tensor-codec.ts'
export { type AdapterUpdate, decodeUpdate, encodeUpdate } from './update-codec.ts'
