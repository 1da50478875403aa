// Brings the replica set and its users to what deploy/compose.yaml wants, from whatever state they are in; run again, it
// changes nothing. It runs in mongosh --nodb on the machine of the first member: before there is a user, MongoDB lets only
// somebody from there make one. Secrets come from files and are never printed.
//
// MONGODB_MEMBERS is the list of members. ROLLCALL_SECRETS is the directory of the secrets, if not /run/secrets.

const fs = require("fs");
const members = process.env.MONGODB_MEMBERS.split(",");
const directory = process.env.ROLLCALL_SECRETS || "/run/secrets";
const secret = (name) => fs.readFileSync(`${directory}/${name}`, "utf8").trim();
const rootPassword = secret("mongodb-root-password");
const port = members[0].split(":")[1];
const setName = "rollcall";

const deadline = Date.now() + 3 * 60 * 1000;

// poll calls f until it returns something. An error that f throws counts as nothing, unless it is final.
function poll(what, f) {
  let last = "";
  for (;;) {
    try {
      const got = f();
      if (got) return got;
      last = "not yet";
    } catch (e) {
      if (e.final) throw e;
      last = e.codeName || e.message;
    }
    if (Date.now() > deadline) throw new Error(`${what}: ${last}`);
    sleep(500);
  }
}

function final(message) {
  const e = new Error(message);
  e.final = true;
  return e;
}

const direct = (member) =>
  connect(`mongodb://${member}/?directConnection=true&serverSelectionTimeoutMS=3000`).getSiblingDB("admin");
const local = poll("reach the first member", () => direct(`127.0.0.1:${port}`));

// 1. The replica set: of the first member alone, so that it is the primary, which the first user needs.
if (!local.hello().setName) {
  // A first member that lost its data must not found a second, empty directory beside the one that the others keep: they
  // take it back by themselves.
  const others = members.slice(1).filter((m) => poll(`reach ${m}`, () => direct(m)).hello().setName);
  if (others.length === 0) {
    local.runCommand({ replSetInitiate: { _id: setName, members: [{ _id: 0, host: members[0] }] } });
    print(`replica set ${setName} is founded`);
  } else {
    print(`${others.join(", ")} have a replica set already; waiting for them to take ${members[0]} back`);
  }
  poll("get into the replica set", () => local.hello().setName);
}

// 2. The administrator. Whether there is one shows when it logs in.
const credentials = `root:${encodeURIComponent(rootPassword)}`;
const options = `replicaSet=${setName}&authSource=admin&w=majority&serverSelectionTimeoutMS=5000`;
function login() {
  const hosts = local.hello().hosts || members;
  return connect(`mongodb://${credentials}@${hosts.join(",")}/admin?${options}`);
}
const admin = poll("log in", () => {
  try {
    const db = login(); // a name for it, as mongosh would await a bare "return login()" only outside of the try
    return db;
  } catch (e) {
    if (e.code !== 18) throw e; // not AuthenticationFailed
  }
  const refused = final("the database has users already, and root has another password than the secret");
  const hello = local.hello();
  if (hello.hosts && hello.hosts.length > 1) throw refused; // members come after the users
  if (!hello.isWritablePrimary) return null; // an election is under way
  try {
    local.createUser({ user: "root", pwd: rootPassword, roles: ["root"] });
    print("user root is made");
  } catch (e) {
    if (e.codeName === "Unauthorized") throw refused;
    throw e;
  }
  return login();
});

// 3. The other members, one after the other: a set changes by one vote at a time.
for (const member of members) {
  poll(`add ${member}`, () => {
    const config = admin.runCommand({ replSetGetConfig: 1 }).config;
    if (config.members.some((m) => m.host === member)) return true;
    config.version++;
    config.members.push({ _id: Math.max(...config.members.map((m) => m._id)) + 1, host: member });
    const answer = admin.runCommand({ replSetReconfig: config });
    if (!answer.ok) throw new Error(answer.errmsg);
    print(`${member} is added`);
    return true;
  });
}

// 4. Rollcall's own user, which may do no more than read and write its database.
const wanted = { pwd: secret("mongodb-rollcall-password"), roles: [{ role: "readWrite", db: "rollcall" }] };
if (admin.getUser("rollcall")) {
  admin.updateUser("rollcall", wanted);
} else {
  admin.createUser({ user: "rollcall", ...wanted });
  print("user rollcall is made");
}

// 5. Done when all of them hold the data.
poll("have every member in step", () => {
  const states = admin.runCommand({ replSetGetStatus: 1 }).members.map((m) => m.stateStr);
  return states.length >= members.length && states.every((s) => s === "PRIMARY" || s === "SECONDARY");
});
print(`replica set ${setName}: ${members.length} members, all in step`);
