export {
  type ApiClient,
  type ApiClientInit,
  type CallArguments,
  createApiClient,
} from './client.ts'
export { engineAlert } from './engine-alert.ts'
export { type ApiHandlers, type ApiServerInit, createApiServer } from './server.ts'
export { controlSocketPath } from './socket-path.ts'
export type * from './types.ts'
