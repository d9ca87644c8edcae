export { plainStatus } from './plain-status.ts'
export { type RenderOnceOptions, renderOnce } from './render-once.ts'
export { SCREENS, type ScreenName } from './state/keymap.ts'
export type { TuiClient } from './tui-client.ts'
