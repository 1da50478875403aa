package resources

// TypeApp is the type of applications that have told what happens there when people leave.
const TypeApp = "App"

// App is the type of the applications that use the directory.
func App() *Definition { return internalType(TypeApp) }
