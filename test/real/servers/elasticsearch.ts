// Elasticsearch's distribution for integration tests: installed from Maven, run as a single node on loopback.
import { chownSync, cpSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Server } from './server.js'
import { backendsDir, fileExists, isRoot, port, unprivilegedId, versions } from './settings.js'
import { missingTool, requireTool, runTool } from './tool.js'

const artifact = `org.elasticsearch.distribution.integ-test-zip:elasticsearch:${versions.elasticsearch}:zip`
const home = () => path.join(backendsDir(), 'es')
const distribution = () => path.join(home(), `elasticsearch-${versions.elasticsearch}`)

async function install(): Promise<void> {
  requireJava()
  if (fileExists(path.join(distribution(), 'bin', 'elasticsearch'))) return
  requireTool('mvn', '-v', 'Install Maven (Debian: apt-get install maven)')
  requireTool('unzip', '-v', 'Install unzip (Debian: apt-get install unzip)')
  const download = path.join(home(), 'download')
  mkdirSync(download, { recursive: true })
  const copy = [`-Dartifact=${artifact}`, `-DoutputDirectory=${download}`, '-Dmdep.overWriteIfNewer=true']
  await runTool('mvn', ['-q', '-B', 'dependency:copy', ...copy], { cwd: download, timeoutMs: 600_000 })
  const zip = path.join(download, `elasticsearch-${versions.elasticsearch}.zip`)
  await runTool('unzip', ['-q', '-o', zip, '-d', download], { cwd: download, timeoutMs: 120_000 })
  rmSync(distribution(), { recursive: true, force: true })
  renameSync(path.join(download, path.basename(distribution())), distribution())
  rmSync(download, { recursive: true, force: true })
}

/** The distribution carries no JDK of its own. Gives java.home. */
function requireJava(): string {
  const wayOut = 'Install a JDK or JRE 17 or newer (Debian: apt-get install openjdk-17-jre-headless)'
  const settings = requireTool('java', '-XshowSettings:properties -version', wayOut)
  const major = /version "(\d+)/.exec(settings)?.[1]
  if (major === undefined || Number(major) < 17) {
    throw missingTool(`java is version ${major ?? 'unknown'}, Elasticsearch needs 17. ${wayOut}`)
  }
  return /java\.home = (.+)/.exec(settings)?.[1]?.trim() ?? ''
}

/** Settings: security off and loopback only; the disk watermarks off, since a full developer's disk is not under test. */
function config(): string {
  return `cluster.name: millrace-test
node.name: es
discovery.type: single-node
network.host: 127.0.0.1
http.port: ${port('es')}
transport.port: ${port('es') + 100}
path.data: ${JSON.stringify(path.join(home(), 'data'))}
path.logs: ${JSON.stringify(path.join(home(), 'logs'))}
xpack.security.enabled: false
cluster.routing.allocation.disk.threshold_enabled: false
cluster.max_shards_per_node: 5000
`
}

function prepare(): void {
  const configDir = path.join(home(), 'config')
  for (const dir of ['data', 'logs', 'tmp']) mkdirSync(path.join(home(), dir), { recursive: true })
  if (!fileExists(configDir)) cpSync(path.join(distribution(), 'config'), configDir, { recursive: true })
  writeFileSync(path.join(configDir, 'elasticsearch.yml'), config())
  // Only what Elasticsearch writes changes hands; the distribution itself stays readable for everyone.
  if (isRoot) for (const dir of ['config', 'data', 'logs', 'tmp']) giveAway(path.join(home(), dir))
}

function giveAway(at: string): void {
  chownSync(at, unprivilegedId, unprivilegedId)
  for (const entry of readdirSync(at, { withFileTypes: true })) {
    const child = path.join(at, entry.name)
    if (entry.isDirectory()) giveAway(child)
    else chownSync(child, unprivilegedId, unprivilegedId)
  }
}

export const elasticsearch: Server = {
  name: 'es',
  title: `Elasticsearch ${versions.elasticsearch}`,
  install,
  launch() {
    prepare()
    return {
      command: path.join(distribution(), 'bin', 'elasticsearch'),
      args: [],
      cwd: home(),
      env: {
        ES_PATH_CONF: path.join(home(), 'config'),
        ES_JAVA_HOME: requireJava(),
        ES_JAVA_OPTS: '-Xms1g -Xmx1g',
        ES_TMPDIR: path.join(home(), 'tmp'),
        HOME: home(),
      },
      ...(isRoot ? { userId: unprivilegedId } : {}),
    }
  },
  readyTimeoutMs: 180_000,
  stopGraceMs: 30_000,
  async isReady() {
    const url = `http://127.0.0.1:${port('es')}/_cluster/health?wait_for_status=yellow&timeout=1s`
    return (await fetch(url, { signal: AbortSignal.timeout(3000) })).status === 200
  },
}
