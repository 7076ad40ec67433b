// Opens standard input as what it is: a pipe, a socket, a terminal or a file.
import { createReadStream, fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { isatty, ReadStream } from 'node:tty'

/**
 * A blocking read of a pipe would hold a thread of the pool, and with it the exit of the process, until the writer ends; so
 * whatever can be waited for is. `process.stdin` is not used: in a worker thread it is a copy that the main thread feeds.
 */
export function openInput(fd: number): Readable {
  if (isatty(fd)) return new ReadStream(fd)
  const stat = fstatSync(fd)
  if (stat.isFIFO() || stat.isSocket()) return new Socket({ fd, readable: true, writable: false })
  return createReadStream('', { fd, autoClose: false })
}

/** Lets the input go, so that it does not hold the process. A file's descriptor stays open: its number is not ours to free. */
export function closeInput(input: Readable): void {
  if (input instanceof Socket) input.destroy()
  else input.pause()
}
