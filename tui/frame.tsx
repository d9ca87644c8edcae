import { Box, type Instance, render, Text } from 'ink'
import { memo, type ReactNode } from 'react'
import type { View } from './screens/view.ts'
import type { Screen } from './terminal/screen.ts'

/** Lays a view out. One `Text` a pane: Ink's cost is in the number of nodes and cells, not in what they say. */
export function Frame({ view }: { readonly view: View }): ReactNode {
  return (
    <Box flexDirection="column" width={view.columns} height={view.rows}>
      <Lines text={view.header} />
      {view.panes.map((row) => (
        <Box key={row.map(({ name }) => name).join()} flexDirection="row">
          {row.map(({ name, lines }) => (
            <Lines key={name} text={lines.join('\n')} />
          ))}
        </Box>
      ))}
      <Lines text={view.tabs} />
      <Lines text={view.hints} />
    </Box>
  )
}

const Lines = memo(function Lines({ text }: { readonly text: string }): ReactNode {
  return (
    <Box flexShrink={0}>
      <Text wrap="truncate-end">{text}</Text>
    </Box>
  )
})

export interface MountedFrame {
  show(view: View): void
  unmount(): void
}

/** Ink on a screen of ours. In debug mode Ink writes whole frames, at once and without cursor codes; see Screen. */
export function mountFrame(screen: Screen, stdin: NodeJS.ReadStream): MountedFrame {
  let instance: Instance | undefined
  return {
    show: (view) => {
      const frame = <Frame view={view} />
      if (instance !== undefined) return instance.rerender(frame)
      instance = render(frame, {
        stdout: screen as unknown as NodeJS.WriteStream,
        stdin,
        debug: true,
        patchConsole: false,
        exitOnCtrlC: false,
      })
    },
    unmount: () => instance?.unmount(),
  }
}
