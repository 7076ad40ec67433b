// The local way in: a socket in the node's data folder that only its user can open; one JSON line a request, JSON lines back.
import { rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import path from 'node:path'
import type { Logger } from 'pino'
import { parseEnvelope, REQUEST_BYTES_MAX } from '../../protocol/control/verbs.js'
import { toWireError } from '../../protocol/errors.js'
import type { Control } from './control.js'

export interface ControlSocket {
  close(): Promise<void>
}

/*
 * client → node   {"verb":"status","args":{},"by":"root@host"}\n, one a connection
 * node → client   {"ok":true,"result":…}\n or {"ok":false,"code":…,"message":…}\n; a tap goes on with {"lines":"<ndjson>"}\n
 */
export const socketPath = (dataDir: string) => path.join(dataDir, 'control.sock')

const CONNECTIONS_MAX = 16
const REQUEST_WITHIN_MS = 5000
/** What may wait for a client that reads slowly; a tap leaves out what is over. */
const WAITING_BYTES_MAX = 1024 * 1024
/** sun_path of sockaddr_un has 108 bytes, the last one 0 (unix(7)); 104 elsewhere. */
const PATH_BYTES_MAX = 103
const OWNER_ONLY = 0o177

/** The folder must be locked by this process: a socket that lies there is a dead one's. Undefined (and said) where there can be none. */
export function startControlSocket(
  dataDir: string,
  control: Control,
  log: Logger,
): Promise<ControlSocket | undefined> {
  const file = socketPath(dataDir)
  if (Buffer.byteLength(file) > PATH_BYTES_MAX) {
    log.warn(
      { file },
      `no control socket: its path is longer than ${PATH_BYTES_MAX} bytes; shorten node.data_dir`,
    )
    return Promise.resolve(undefined)
  }
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    serve(socket, control)
  })
  server.maxConnections = CONNECTIONS_MAX
  rmSync(file, { force: true })
  return new Promise((resolve) => {
    server.on('error', (error) => {
      log.warn({ file, reason: error.message }, 'no control socket: ctl can not reach this node locally')
      resolve(undefined)
    })
    server.once('listening', () =>
      resolve({
        close: () =>
          new Promise((closed) => {
            server.close(() => closed())
            for (const socket of open) socket.destroy()
          }),
      }),
    )
    // The socket is made within listen(): its mode is never wider than the owner, not even for a moment.
    const before = process.umask(OWNER_ONLY)
    try {
      server.listen(file)
    } finally {
      process.umask(before)
    }
  })
}

function serve(socket: Socket, control: Control): void {
  const ending = new AbortController()
  let received = ''
  let asked = false
  socket.setEncoding('utf8')
  socket.setTimeout(REQUEST_WITHIN_MS, () => socket.destroy())
  socket.on('error', () => undefined)
  socket.on('close', () => ending.abort())
  const say = (value: unknown) => void socket.write(`${JSON.stringify(value)}\n`)
  socket.on('data', (piece: string) => {
    if (asked) return
    received += piece
    const end = received.indexOf('\n')
    if (end < 0 && received.length > REQUEST_BYTES_MAX) return void socket.destroy()
    if (end < 0) return
    asked = true
    socket.setTimeout(0)
    answer(received.slice(0, end)).catch(() => socket.destroy())
  })

  async function answer(line: string): Promise<void> {
    let streams = false
    try {
      const envelope = parseEnvelope(line)
      const held: string[] = []
      let answered = false
      const onLines = (lines: string) => {
        if (!answered) held.push(lines)
        else if (socket.writableLength < WAITING_BYTES_MAX) say({ lines })
      }
      const stream = { onLines, signal: ending.signal }
      const said = await control.handle(envelope, { via: 'socket', readOnly: false, stream })
      say(said)
      answered = true
      for (const lines of held) say({ lines })
      streams = said.ok && envelope.verb === 'tap'
    } catch (error) {
      const { code, message } = toWireError(error)
      say({ ok: false, code, message })
    }
    if (!streams) socket.end()
  }
}
