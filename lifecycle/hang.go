package lifecycle

// hang hangs the rules of the lifecycle into the registry's definitions: from then on every write, by whatever way,
// follows them, and every read is answered by them.
func (s *Service) hang() {
	user := s.registry.Definition(typeUser)
	user.Check, user.Refused = userCheck{s}, s.noteRefusal
	user.OnCreate, user.OnDelete = userCreation{s}, userDeletion{s}
	s.registry.SetView(typeUser, userView{s})
	rules := catalogueRules{s}
	for _, d := range s.catalogueTypes() {
		d.Check = catalogueCheck{}
		d.OnCreate, d.OnUpdate, d.OnDelete = rules, rules, rules
		s.registry.SetView(d.Name, catalogueView{s})
	}
}
