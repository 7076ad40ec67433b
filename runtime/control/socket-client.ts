// Speaks to the node that runs on a data folder, through its socket.
import { createConnection } from 'node:net'
import type { ControlAnswer, ControlEnvelope } from '../../protocol/control/verbs.js'
import { MillraceError, systemCode } from '../../protocol/errors.js'
import { socketPath } from './socket.js'

const ANSWER_CHARS_MAX = 16 * 1024 * 1024

/** Resolves with the answer once the node has ended the talk, or (a tap) when the signal aborts. Throws `node.unreachable`, `node.gone`. */
export function askSocket(
  dataDir: string,
  envelope: ControlEnvelope,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal; onLines?(ndjson: string): void },
): Promise<ControlAnswer> {
  const file = socketPath(dataDir)
  return new Promise((resolve, reject) => {
    const socket = createConnection(file)
    let rest = ''
    let answer: ControlAnswer | undefined
    const stop = () => socket.destroy()
    options.signal?.addEventListener('abort', stop, { once: true })
    socket.setEncoding('utf8')
    socket.setTimeout(options.timeoutMs, () =>
      socket.destroy(gone(file, `no answer within ${options.timeoutMs} ms`)),
    )
    socket.on('connect', () => socket.write(`${JSON.stringify(envelope)}\n`))
    socket.on('data', (piece: string) => {
      const lines = (rest + piece).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > ANSWER_CHARS_MAX) return void socket.destroy(gone(file, 'the answer has no end'))
      for (const line of lines) take(JSON.parse(line) as ControlAnswer | { readonly lines: string })
    })
    socket.on('error', (error) => reject(error instanceof MillraceError ? error : unreachable(file, error)))
    socket.on('close', () => {
      options.signal?.removeEventListener('abort', stop)
      if (answer !== undefined) resolve(answer)
      else reject(gone(file, 'the node ended the talk'))
    })
    function take(message: ControlAnswer | { readonly lines: string }): void {
      if ('lines' in message) return options.onLines?.(message.lines)
      answer = message
      socket.setTimeout(0)
    }
  })
}

const gone = (file: string, why: string) => new MillraceError('node.gone', `${file}: ${why}`)

function unreachable(file: string, cause: Error): MillraceError {
  const code = systemCode(cause) ?? cause.message
  const text =
    code === 'EACCES'
      ? `${file} belongs to another user (EACCES); run ctl as the user of the node`
      : `no node answers on ${file} (${code}); start one with \`millrace run\`, name its configuration with -c, or ask another with --node`
  return new MillraceError('node.unreachable', text, { cause })
}
