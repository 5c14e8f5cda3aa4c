//! People and their settings.

use slipstream_commands::{
    CommandError, assign_role, find_person, locate_person, request_erasure, role_of, update_settings,
};
use slipstream_domain::conversation::Patch;
use slipstream_domain::event::UserRole;
use slipstream_domain::user::UserSettingsPatch;
use slipstream_domain::{RequestMetadata, Theme, UserId};
use uuid::Uuid;

use crate::world::World;

#[tokio::test]
async fn one_address_is_one_user_from_however_many_processes() {
    let one = World::new().await;
    let other = one.another();
    let (a, b, c) = tokio::join!(
        one.user("ann@example.com"),
        other.user("Ann@Example.com "),
        one.user("ann@example.com")
    );
    assert_eq!((a, b), (b, c));
    assert_ne!(one.user("bob@example.com").await, a);
    let registered =
        one.everything().await.iter().filter(|event| &*event.event_type == "UserRegistered").count();
    assert_eq!(registered, 2);
}

#[tokio::test]
async fn no_address_stands_in_the_clear() {
    let world = World::new().await;
    world.user("ann@example.com").await;
    for event in world.everything().await {
        assert!(!event.payload.unwrap().data.contains("ann"), "{}", event.event_type);
    }
}

fn dark() -> UserSettingsPatch {
    UserSettingsPatch { theme: Patch::Set(Theme::Dark), ..UserSettingsPatch::default() }
}

#[tokio::test]
async fn settings_that_hold_already_write_nothing() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let settings = update_settings(&world.app, ann, dark()).await.unwrap();
    assert_eq!(settings.theme, Some(Theme::Dark));
    assert_eq!(update_settings(&world.app, ann, dark()).await.unwrap(), settings);
    assert_eq!(world.events(ann.as_uuid()).await, ["UserRegistered", "SettingsChanged"]);
}

#[tokio::test]
async fn nobody_has_no_settings() {
    let world = World::new().await;
    let nobody = UserId::from_uuid(Uuid::from_u128(9));
    let changed = update_settings(&world.app, nobody, dark()).await;
    assert!(matches!(changed, Err(CommandError::NotFound("user"))), "{changed:?}");
}

#[tokio::test]
async fn a_person_is_located_when_they_are_somewhere_else_and_nobody_else_reads_where() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let bern = RequestMetadata { city: Some("Bern".into()), ..RequestMetadata::default() };
    for _ in 0..2 {
        locate_person(&world.app, ann, bern.clone()).await.unwrap();
    }
    let person = find_person(&world.app, ann).await.unwrap();
    assert_eq!((person.location, person.role), (Some(bern), UserRole::User));
    assert_eq!(person.profile.unwrap().email, "ann@example.com");
    assert_eq!(world.events(ann.as_uuid()).await, ["UserRegistered", "ProfileLocated"]);
    for event in world.everything().await {
        assert!(!event.payload.unwrap().data.contains("Bern"), "{}", event.event_type);
    }
    let nobody = UserId::from_uuid(Uuid::from_u128(9));
    assert!(matches!(find_person(&world.app, nobody).await, Err(CommandError::NotFound("user"))));
}

#[tokio::test]
async fn a_role_holds_from_when_it_is_given_until_it_is_taken() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    assert_eq!(role_of(&world.app, ann).await.unwrap(), UserRole::User);
    for role in [UserRole::Auditor, UserRole::Auditor, UserRole::User] {
        assign_role(&world.app, ann, role).await.unwrap();
        assert_eq!(role_of(&world.another().app, ann).await.unwrap(), role);
    }
    assert_eq!(world.events(ann.as_uuid()).await, ["UserRegistered", "RoleChanged", "RoleChanged"]);
}

#[tokio::test]
async fn nobody_and_who_is_being_erased_have_no_role() {
    let world = World::new().await;
    let nobody = UserId::from_uuid(Uuid::from_u128(9));
    assert!(matches!(role_of(&world.app, nobody).await, Err(CommandError::NotFound("user"))));
    let ann = world.user("ann@example.com").await;
    assign_role(&world.app, ann, UserRole::Admin).await.unwrap();
    request_erasure(&world.app, ann).await.unwrap();
    assert!(matches!(role_of(&world.app, ann).await, Err(CommandError::Erased)));
    assert!(matches!(assign_role(&world.app, ann, UserRole::User).await, Err(CommandError::Erased)));
}
