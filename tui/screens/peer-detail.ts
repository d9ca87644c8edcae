import type { PeerInfo } from '#protocols/api'
import { age, bytes, loss } from '../drawing/format.ts'
import { drawPane, inside, type Size } from '../drawing/pane.ts'
import { PEER_ROLE } from '../drawing/theme.ts'
import type { PaneRow, ScreenContext } from './context.ts'
import { logText } from './log-lines.ts'
import { chartPane } from './loss-chart.ts'

/** All that is known of one peer, its loss and the events that name it. */
export function peerDetail(peer: PeerInfo, context: ScreenContext, size: Size): readonly PaneRow[] {
  const { model, status, theme, now } = context
  const facts = factsOf(peer, context)
  const series = model.peerSeries.get(peer.id)
  const named = model.log.filter(
    ({ message }) => message.includes(peer.name) || message.includes(peer.id),
  )
  const factsSize = { width: size.width, height: facts.length + 2 }
  const rest = size.height - factsSize.height
  const chartHeight = series === undefined || rest < 11 ? 0 : Math.floor(rest * 0.6)
  const eventsSize = { width: size.width, height: rest - chartHeight }
  const room = inside(eventsSize)
  const lines = named.slice(-room.height).map((line) => logText(line, room.width, theme))
  const own = peer.id === status.peerId ? ' (this node)' : ''
  const seen = peer.lastSeen === null ? 'never seen' : `seen ${age(now - peer.lastSeen)} ago`
  const chart =
    series === undefined || chartHeight === 0
      ? []
      : [
          [
            chartPane('chart', { title: 'reported', series: [series] }, context, {
              width: size.width,
              height: chartHeight,
            }),
          ],
        ]
  return [
    [drawPane('peer', `Peer ${peer.name}${own}  ${seen}`, facts, factsSize, theme)],
    ...chart,
    [drawPane('events', `Events that name ${peer.name}`, lines, eventsSize, theme)],
  ]
}

function factsOf(peer: PeerInfo, { theme }: ScreenContext): readonly string[] {
  const role = PEER_ROLE[peer.state]
  const state = `${theme.glyphs.state[peer.state]} ${peer.state}`
  const training =
    peer.step === null
      ? 'no step reported'
      : `step ${peer.step}, loss ${peer.loss === null ? '-' : loss(peer.loss)}`
  const link = peer.connected ? 'connected' : 'not connected'
  const rtt = peer.rttMs === null ? '' : `, round trip ${Math.round(peer.rttMs)} ms`
  return [
    fact('id', peer.id),
    fact('state', role === undefined ? state : theme.paint(role, state)),
    ...(peer.reason === '' ? [] : [fact('why', theme.paint('warn', peer.reason))]),
    fact('role', peer.role),
    fact('link', `${link}${rtt}`),
    fact('round', peer.round === null ? 'none' : `${peer.round}, ${training}`),
    fact('traffic', `${bytes(peer.bytesUp)} up, ${bytes(peer.bytesDown)} down`),
  ]
}

function fact(name: string, value: string): string {
  return `${name.padEnd(9)}${value}`
}
