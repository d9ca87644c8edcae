import { frameToSvg } from '../frame-to-svg.ts'
import { renderOnce } from '../render-once.ts'
import { DEMO_EVENTS, DEMO_NOW, DEMO_STATUS } from './demo-mesh.ts'

/** The Mesh screen of the demo mesh, as the README shows it. */
export function meshPicture(): string {
  const frame = renderOnce(DEMO_STATUS, {
    columns: 120,
    rows: 30,
    screen: 'mesh',
    color: true,
    events: DEMO_EVENTS,
    now: DEMO_NOW,
  })
  return frameToSvg(
    frame,
    'The Mesh screen of cotune tui: four peers, their losses, the last events',
  )
}
