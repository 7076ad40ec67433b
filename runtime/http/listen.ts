// Binds a server to `host:port`, with errors that name the address, the option and the way out.
import type { AddressInfo, Server } from 'node:net'
import { MillraceError, systemCode } from '../../protocol/errors.js'

/** Splits `host:port`; the brackets of an IPv6 address are taken off. */
export function splitListen(listen: string): { readonly host: string; readonly port: number } {
  const at = listen.lastIndexOf(':')
  return { host: listen.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(listen.slice(at + 1)) }
}

/** Resolves to the bound `host:port`. Throws `http.port_in_use`, `http.address` or `http.listen`. */
export function listenOn(server: Server, listen: string, option: string): Promise<string> {
  const { host, port } = splitListen(listen)
  return new Promise((resolve, reject) => {
    function failed(error: Error): void {
      reject(listenError(error, listen, option))
    }
    server.once('error', failed)
    server.listen({ host, port }, () => {
      server.off('error', failed)
      resolve(addressText(server.address() as AddressInfo))
    })
  })
}

function addressText({ address, family, port }: AddressInfo): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
}

function listenError(error: Error, listen: string, option: string): MillraceError {
  const code = systemCode(error)
  if (code === 'EADDRINUSE') {
    const message = `${option}: ${listen} is in use by another process; stop it or set ${option} to another port`
    return new MillraceError('http.port_in_use', message, { cause: error })
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    const message = `${option}: ${listen} is no address of this host; set ${option} to one, or to 0.0.0.0:<port> for all`
    return new MillraceError('http.address', message, { cause: error })
  }
  if (code === 'EACCES') {
    const message = `${option}: ${listen} needs a privilege that this user lacks; choose a port over 1023`
    return new MillraceError('http.listen', message, { cause: error })
  }
  return new MillraceError('http.listen', `${option}: can not listen on ${listen} (${error.message})`, {
    cause: error,
  })
}
