// Better Auth's api-key plugin on PostgreSQL, one process of Node.
//
//     app.mjs PORT DATABASE FOLDER
//
// Its limit of 10 requests a day for each key is switched off; everything else is as it comes.
import { createServer } from "node:http";
import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import pg from "pg";

const [port, database] = process.argv.slice(2);
const url = new URL(database.replace("@/", "@localhost/"));
const pool = new pg.Pool({
  host: url.searchParams.get("host") ?? url.hostname,
  port: Number(url.port || 5432),
  user: decodeURIComponent(url.username),
  password: decodeURIComponent(url.password),
  database: url.pathname.slice(1),
});
const auth = betterAuth({
  baseURL: `http://127.0.0.1:${port}`,
  secret: "a secret of this benchmark that protects nothing",
  database: pool,
  telemetry: { enabled: false },
  rateLimit: { enabled: false },
  plugins: [apiKey({ rateLimit: { enabled: false } })],
});
const { runMigrations } = await getMigrations(auth.options);
await runMigrations();
const { adapter, internalAdapter } = await auth.$context;
const user =
  (await internalAdapter.findUserByEmail("bench@example.org"))?.user ??
  (await internalAdapter.createUser({ email: "bench@example.org", name: "bench" }));

const header = "x-api-key";
const routes = {
  async GET(request) {
    const key = request.headers[header] ?? "";
    const { valid } = await auth.api.verifyApiKey({ body: { key } });
    return [valid ? 200 : 401, "{}"];
  },
  async POST() {
    const { id, key } = await auth.api.createApiKey({ body: { userId: user.id, name: "bench" } });
    const forged = key.slice(0, -12) + key.slice(-12).split("").reverse().join("");
    return [200, JSON.stringify({ id, header, good: key, forged, malformed: "no-key" })];
  },
  async DELETE(request) {
    const id = request.url.split("/").at(-1);
    await adapter.delete({ model: "apikey", where: [{ field: "id", value: id }] });
    return [200, "{}"];
  },
};

createServer(async (request, response) => {
  let status = 500;
  let body = "{}";
  try {
    [status, body] = await routes[request.method](request);
  } catch (error) {
    console.error(error);
  }
  response.writeHead(status, { "content-type": "application/json", "content-length": body.length });
  response.end(body);
}).listen(Number(port), "127.0.0.1");
