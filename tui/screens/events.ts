import { age } from '../drawing/format.ts'
import { drawPane, inside, type Pane, type Size } from '../drawing/pane.ts'
import { cursorOf, shownLog } from '../state/lists.ts'
import { type DrawScreen, type ScreenContext, windowAround } from './context.ts'
import { logText } from './log-lines.ts'

const MOST_ALERTS = 4

/** Active alerts, the log, and the JSON of one of its lines on demand. */
export const drawEvents: DrawScreen = (context, size) => {
  const { status, ui } = context
  const shown = Math.min(MOST_ALERTS, status.alerts.length)
  const alertsHeight = shown === 0 ? 0 : shown * 2 + 2
  const rest = size.height - alertsHeight
  const detailHeight = ui.detail ? Math.floor(rest / 2) : 0
  const pane = (height: number) => ({ width: size.width, height })
  return [
    ...(alertsHeight > 0 ? [[alertsPane(context, pane(alertsHeight))]] : []),
    [logPane(context, pane(rest - detailHeight))],
    ...(detailHeight > 0 ? [[jsonPane(context, pane(detailHeight))]] : []),
  ]
}

function alertsPane({ status, theme, now }: ScreenContext, size: Size): Pane {
  const width = inside(size).width
  const lines = status.alerts.slice(-MOST_ALERTS).flatMap((alert) => {
    const text = `${theme.glyphs.warning} ${alert.text} (${alert.code}, ${age(now - alert.since)})`
    const role = alert.severity === 'error' ? 'error' : 'warn'
    return [theme.paint(role, theme.fitText(text, width)), theme.fitText(`  ${alert.hint}`, width)]
  })
  return drawPane('alerts', `Alerts ${status.alerts.length}`, lines, size, theme)
}

function logPane(context: ScreenContext, size: Size): Pane {
  const { model, ui, theme } = context
  const room = inside(size)
  const log = shownLog(model, ui)
  const cursor = cursorOf(ui, log.length)
  const lines = log.map((line, index) => ({ line, index }))
  const shown = windowAround(lines, ui.follow ? log.length : cursor, room.height).map(
    ({ line, index }) => logText(line, room.width, theme, index === cursor && !ui.follow),
  )
  const empty = [`Nothing at level ${ui.level} or above${filterText(context)}.`]
  const body = shown.length > 0 ? shown : empty
  return drawPane('log', logTitle(context, log.length), body, size, theme)
}

function logTitle(context: ScreenContext, shown: number): string {
  const { model, ui } = context
  const total = model.log.length
  const parts = [
    `Events ${shown === total ? total : `${shown}/${total}`}`,
    `level ${ui.level}`,
    ui.follow ? 'following' : 'held',
    ...(filterText(context) === '' ? [] : [`/ ${ui.filters.events}`]),
    ...(model.dropped > 0 ? [`${model.dropped} older dropped`] : []),
    ...(model.missed > 0 ? [`${model.missed} missed`] : []),
  ]
  return parts.join('  ')
}

function filterText({ ui }: ScreenContext): string {
  const filter = ui.filters.events ?? ''
  return filter === '' ? '' : ` that matches ${filter}`
}

function jsonPane({ model, ui, theme }: ScreenContext, size: Size): Pane {
  const log = shownLog(model, ui)
  const line = log[cursorOf(ui, log.length)]
  const json = JSON.stringify(line?.event ?? line ?? null, null, 1)
  const width = inside(size).width
  const lines = json.split('\n').map((text) => theme.fitText(text, width))
  return drawPane('record', 'Record', lines, size, theme)
}
