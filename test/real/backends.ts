// Installs, starts and stops the real Elasticsearch, Loki and NATS that the tests run against.
import { saidOf } from '../../protocol/errors.js'
import { elasticsearch } from './servers/elasticsearch.js'
import { loki } from './servers/loki.js'
import { nats } from './servers/nats.js'
import { answers, killServer, type Server, serverPid, startServer, stopServer } from './servers/server.js'
import { ownUrl, serverNames } from './servers/settings.js'
import { isMissingTool } from './servers/tool.js'

/** NATS first: it is up at once; Loki last: its build takes minutes. */
const servers: readonly Server[] = [nats, elasticsearch, loki]

const usage = `usage: backends [start|stop|restart|kill|status|env|install] [${serverNames.join('|')} ...]`

const say = (line: string) => process.stdout.write(`${line}\n`)

const verbs: Readonly<Record<string, (server: Server) => Promise<void>>> = {
  async install(server) {
    say(`installing ${server.title}${server === loki ? ' (its first build takes about 6 minutes)' : ''}`)
    await server.install()
  },
  async start(server) {
    await server.install()
    const outcome = await startServer(server)
    say(`${server.title} ${outcome}: ${ownUrl(server.name)} (pid ${serverPid(server)})`)
  },
  async stop(server) {
    say(`${server.title} ${(await stopServer(server)) ? 'stopped' : 'was not running'}`)
  },
  async restart(server) {
    await stopServer(server)
    await verbs['start']?.(server)
  },
  async kill(server) {
    say(`${server.title} ${(await killServer(server)) ? 'killed' : 'was not running'}`)
  },
  async status(server) {
    const pid = serverPid(server)
    const state = (await answers(server)) ? 'ready' : 'does not answer'
    say(
      `${server.title} ${ownUrl(server.name)} ${state}${pid === undefined ? ', not started here' : `, pid ${pid}`}`,
    )
  },
  async env(server) {
    say(`export ${server.name.toUpperCase()}_URL=${ownUrl(server.name)}`)
  },
}

/** A missing tool is no failure on a developer's machine, where the real tests are optional; in CI it is. */
async function main(args: readonly string[]): Promise<number> {
  const named = args.filter((arg) => serverNames.some((name) => name === arg))
  const [verbName = 'start', ...rest] = args.filter((arg) => !named.includes(arg))
  const verb = verbs[verbName]
  if (verb === undefined || rest.length > 0) {
    process.stderr.write(`${usage}\n`)
    return 2
  }
  let exitCode = 0
  for (const server of servers) {
    if (named.length > 0 && !named.includes(server.name)) continue
    try {
      await verb(server)
    } catch (error) {
      process.stderr.write(`${saidOf(error)}\n`)
      if (!isMissingTool(error) || process.env['CI'] === 'true') exitCode = 1
    }
  }
  return exitCode
}

process.exitCode = await main(process.argv.slice(2))
